#![allow(unused)]
use faust::prelude::*;

#[table("a", window = hopping(10min, step = 1min))] //~
struct A {
    key: String,
    value: u64,
}

#[table("b", window = sliding(10min), expires = 1h)] //~
struct B {
    key: String,
    value: u64,
}

#[table("c", window = session(30min))] //~
struct C {
    key: String,
    value: u64,
}

#[table("d", window = tumbling(10min), grace = 1min)] //~
struct D {
    key: String,
    value: u64,
}

#[table("e", value_codec = formats::Avro)] //~
struct E {
    key: String,
    value: u64,
}

#[agent]
async fn count(word: Event<Word>, a: Table<A>, b: Table<B>, c: Table<C>, d: Table<D>) -> Result<()> {
    a.at(&word).update(&word.word, |n| *n += 1).await
}

#[topic("words", key = word)]
struct Word {
    word: String,
}

fn main() {}
