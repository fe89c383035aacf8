#![allow(unused)]
use faust::prelude::*;

#[app("shop")]
struct Shop<T>(T); //~

fn main() {}
