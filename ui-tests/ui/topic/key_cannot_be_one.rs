#![allow(unused)]
use faust::prelude::*;

#[topic("measures", key = celsius)]
struct Measure {
    celsius: f64, //~
    place: String,
}

#[agent]
async fn read(measure: Event<Measure>) -> Result<()> {
    Ok(())
}

#[app("weather", agents(read))]
struct Weather;

fn main() {}
