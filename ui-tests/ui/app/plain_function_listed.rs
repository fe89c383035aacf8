#![allow(unused)]
use faust::prelude::*;

async fn helper() {}

#[app("shop", agents(helper))] //~
struct Shop;

fn main() {}
