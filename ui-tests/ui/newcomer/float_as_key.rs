#![allow(unused)]
use faust::prelude::*;

#[table("prices", key = price)]
struct Price {
    price: f64, //~
    orders: u32,
}

fn main() {}
