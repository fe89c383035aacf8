#![allow(unused)]
use faust::prelude::*;

#[table("members", ttl = 1h)]
struct Member {
    key: String,
    value: Set<String>, //~
}

fn main() {}
