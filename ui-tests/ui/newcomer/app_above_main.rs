#![allow(unused)]
use faust::prelude::*;

#[app("hello")] //~
fn main() {
    println!("hello");
}
