#![allow(unused)]
use faust::prelude::*;

#[topic("payments", key = id)]
struct Payment {
    id: String,
    amount: std::string::Mony, //~
}

fn main() {}
