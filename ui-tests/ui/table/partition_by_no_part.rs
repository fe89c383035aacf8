#![allow(unused)]
use faust::prelude::*;

#[table("carts", key = (customer, item), partition_by = count)] //~
struct Cart {
    customer: u64,
    item: String,
    count: u32,
}

fn main() {}
