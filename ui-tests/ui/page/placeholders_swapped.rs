#![allow(unused)]
use faust::prelude::*;

#[page("/cart/{customer}/{item}")]
async fn cart(Path((item, customer)): Path<(u64, String)>) -> Result<String> { //~
    Ok(customer)
}

fn main() {}
