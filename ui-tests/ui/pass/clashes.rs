//! Declarations with the names of the prelude's and of the standard library's types, and with raw identifiers.
#![deny(warnings)]
#![allow(missing_docs, unreachable_pub, clippy::indexing_slicing, clippy::unwrap_used)]
// The names are the point.
#![allow(clippy::enum_variant_names)]

mod names {
    use faust::prelude as f;

    #[f::topic("results", key = id)]
    pub struct Result {
        pub id: u64,
        pub text: std::string::String,
        pub more: std::option::Option<std::vec::Vec<u8>>,
    }

    #[f::topic("options")]
    pub struct Option {
        pub key: u64,
        pub value: std::option::Option<u64>,
    }

    #[f::topic("strings", key = (id, n))]
    pub struct String {
        pub id: u64,
        pub n: u8,
    }

    #[f::topic("vecs", key = id)]
    pub struct Vec<'a> {
        pub id: &'a str,
        pub text: std::borrow::Cow<'a, str>,
    }

    #[f::topic("events", key = id)]
    pub struct Event {
        pub id: u64,
    }

    #[f::table("tables", key = (id, n), partition_by = id)]
    pub struct Table {
        pub id: u64,
        pub n: u8,
        pub all: std::vec::Vec<u8>,
    }

    #[f::table("keys", window = tumbling(1min))]
    pub struct Keys {
        pub key: u64,
        pub value: std::string::String,
    }

    #[f::table("defaults")]
    #[allow(non_camel_case_types)]
    pub struct require_copartitioned {
        pub key: u64,
        pub value: u64,
    }

    #[derive(f::Records)]
    pub enum Records {
        Some(Event),
        Ok(Result),
    }

    #[derive(f::AgentParam)]
    pub struct Use {
        pub r#type: f::Table<Table>,
        pub clone: f::Sink<Option>,
    }

    #[f::agent]
    pub async fn main(
        _: f::Event<Records>,
        _: Use,
        _: f::Table<Keys>,
        _: f::Table<require_copartitioned>,
    ) -> faust::Result<()> {
        Ok(())
    }

    #[f::agent]
    pub async fn r#match(_: f::Event<Vec<'_>>, r#type: f::Sink<String>) -> faust::Result<u64> {
        r#type.send(String { id: 1, n: 1 }).await?;
        Ok(1)
    }

    #[f::command]
    pub async fn tell(
        r#loop: f::Ask<r#match>,
        #[arg(long)] r#type: std::string::String,
    ) -> faust::Result<()> {
        r#loop.cast(Vec { id: &r#type, text: "".into() }).await
    }

    #[f::page("/{type}")]
    pub async fn require_entry(
        f::Path(r#type): f::Path<std::string::String>,
    ) -> faust::Result<std::string::String> {
        Ok(r#type)
    }

    #[f::app("send", agents(main, r#match), commands(tell), pages(require_entry))]
    pub struct Send;
}

mod raw {
    use faust::prelude::*;

    #[topic("kinds", key = r#type)]
    pub struct Kind {
        pub r#type: String,
        pub r#fn: u64,
    }

    #[topic("more-kinds", key = type)]
    pub struct More {
        pub r#type: String,
    }

    #[table("counts", key = (r#type, r#fn), partition_by = type)]
    pub struct Count {
        pub r#type: String,
        pub r#fn: u64,
        pub n: u64,
    }

    #[agent]
    pub async fn r#loop(r#in: Event<Kind>, r#mut: Table<Count>) -> Result<u64> {
        let key = (r#in.r#type.clone(), r#in.r#fn);
        r#mut
            .update(&key, |count| {
                count.n += 1;
                count.n
            })
            .await
    }

    #[agent(type = MoreKinds)]
    pub async fn r#while(_: Event<More>) -> Result<()> {
        Ok(())
    }

    #[app("raw", agents(r#loop, MoreKinds))]
    pub struct Raw;
}

fn main() {
    let app = <names::Send as faust::App>::APP;
    assert_eq!(app.agents[1].name(), "match");
    let raw = <raw::Raw as faust::App>::APP;
    assert_eq!((raw.agents[0].name(), raw.agents[1].name()), ("loop", "while"));
    let key =
        <raw::Kind as faust::Record>::decode(Some(b"a"), Some(br#"{"type":"a","fn":1}"#)).unwrap();
    assert_eq!((key.r#type.as_str(), key.r#fn), ("a", 1));
}
