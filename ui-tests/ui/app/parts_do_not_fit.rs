#![allow(unused)]
use faust::prelude::*;

mod english {
    use faust::prelude::*;

    #[topic("words", key = word, partitions = 4)]
    pub struct Word {
        word: String,
    }

    #[agent]
    pub async fn count(word: Event<Word>) -> Result<()> {
        Ok(())
    }

    #[app("english", agents(count))]
    pub struct English;
}

mod norwegian {
    use faust::prelude::*;

    #[topic("words", key = ord, partitions = 8)]
    pub struct Ord {
        ord: String,
    }

    #[agent]
    pub async fn tell(ord: Event<Ord>) -> Result<()> {
        Ok(())
    }

    #[app("norwegian", agents(tell))]
    pub struct Norwegian;
}

#[app(
    "words",
    agents(english::count),
    parts(
        english::English, //~
        norwegian::Norwegian, //~
    )
)]
struct Words;

fn main() {}
