#![allow(unused)]
use faust::prelude::*;

#[derive(Clone, PartialEq, Eq, faust::Serialize, faust::Deserialize)]
struct Celsius(u64);

#[table("measures")]
struct Measure {
    key: Celsius, //~
    value: String,
}

fn main() {}
