#![allow(unused)]
use faust::prelude::*;

#[table("seen")]
struct Seen {
    key: String,
    value: (), //~
}

fn main() {}
