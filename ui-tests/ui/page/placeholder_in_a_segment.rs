#![allow(unused)]
use faust::prelude::*;

#[page("/files/{name}.txt")] //~
async fn file(Path(name): Path<String>) -> Result<String> {
    Ok(name)
}

#[page("/files/{*path}/raw")] //~
async fn raw(Path(path): Path<String>) -> Result<String> {
    Ok(path)
}

fn main() {}
