#![allow(unused)]
use faust::prelude::*;

#[table("a", window = hopping(10min))] //~
struct A {
    key: String,
    value: u64,
}

#[table("b", window = tumbling(10min, step = 1min))] //~
struct B {
    key: String,
    value: u64,
}

#[table("c", window = hopping(1min, step = 10min))] //~
struct C {
    key: String,
    value: u64,
}

#[table("d", window = hopping(10min, 1min))] //~
struct D {
    key: String,
    value: u64,
}

#[table("e", window = session())] //~
struct E {
    key: String,
    value: u64,
}

#[table("f", grace = 1min)] //~
struct F {
    key: String,
    value: u64,
}

fn main() {}
