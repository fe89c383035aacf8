#![allow(unused)]
use faust::prelude::*;

#[page("/hello", post)] //~
async fn hello() -> Result<&'static str> {
    Ok("hello")
}

fn main() {}
