#![allow(unused)]
use faust::prelude::*;

#[page("/copy/{word}/{word}")] //~
async fn copy(Path((a, b)): Path<(String, String)>) -> Result<String> {
    Ok(a + &b)
}

#[app("copies", pages(copy))]
struct Copies;

fn main() {}
