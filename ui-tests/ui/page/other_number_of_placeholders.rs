#![allow(unused)]
use faust::prelude::*;

#[page("/cart/{customer}/{item}")]
async fn cart(Path(customer): Path<u64>) -> Result<String> { //~
    Ok(customer.to_string())
}

#[page("/carts")]
async fn carts(Path((customer, item)): Path<(u64, String)>) -> Result<String> { //~
    Ok(item)
}

fn main() {}
