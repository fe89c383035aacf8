#![allow(unused)]
use faust::prelude::*;

#[table("carts", key = costumer)] //~
struct Cart {
    customer: u64,
    items: u32,
}

fn main() {}
