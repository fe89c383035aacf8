//! The smallest program that does something: greets whoever is named in the topic `names`.
//!
//! `cargo run --bin hello_world`, then in another terminal `cargo run --bin hello_world -- send names '{"name":"Ada"}'`.
use faust::prelude::*;

/// A name.
#[topic("names")]
struct Name {
    name: String,
}

#[agent]
async fn greet(name: Event<Name>) -> Result<()> {
    println!("Hello, {}!", name.name);
    Ok(())
}

#[app("hello-world", agents(greet))]
struct HelloWorld;

fn main() -> std::process::ExitCode {
    faust::main::<HelloWorld>()
}
