#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word, partitions = 4)]
struct Word {
    word: String,
}

#[topic("names", key = name)]
struct Name {
    name: String,
}

#[topic("places", key = place, partitions = 8)]
struct Place {
    place: String,
}

#[table("counts")]
struct Count {
    key: String,
    value: u64,
}

#[table("lengths")]
struct Length {
    key: String,
    value: u64,
}

#[agent]
async fn count_words(word: Event<Word>, counts: Table<Count>) -> Result<()> {
    Ok(())
}

/// Joins the groups of the others.
#[agent]
async fn measure(name: Event<Name>, counts: Table<Count>, lengths: Table<Length>) -> Result<()> {
    Ok(())
}

#[agent]
async fn measure_places(place: Event<Place>, lengths: Table<Length>) -> Result<()> {
    Ok(())
}

#[app(
    "counter",
    agents(
        count_words,
        measure,
        measure_places, //~
    )
)]
struct Counter;

fn main() {}
