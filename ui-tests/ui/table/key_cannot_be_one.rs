#![allow(unused)]
use faust::prelude::*;

#[derive(Clone, PartialEq, Eq, faust::Serialize, faust::Deserialize)]
#[serde(crate = "faust::serde")]
struct Celsius(u64);

#[table("measures")]
struct Measure {
    key: Celsius, //~
    value: String,
}

fn main() {}
