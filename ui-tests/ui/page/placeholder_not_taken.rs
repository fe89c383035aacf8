#![allow(unused)]
use faust::prelude::*;

#[table("counts")]
struct Count {
    key: String,
    value: u64,
}

#[page("/count/{word}")] //~
async fn count(counts: View<Count>) -> Result<Json<Option<u64>>> {
    Ok(Json(counts.get(&"the".to_string()).await?))
}

fn main() {}
