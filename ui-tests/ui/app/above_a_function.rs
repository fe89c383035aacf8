#![allow(unused)]
use faust::prelude::*;

#[app("shop")] //~
fn shop() {}

fn main() {}
