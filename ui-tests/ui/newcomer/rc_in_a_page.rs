#![allow(unused)]
use faust::prelude::*;

#[table("counts")]
struct Count {
    key: String,
    value: u64,
}

#[page("/counts")]
async fn counts(counts: View<Count>) -> Result<String> { //~
    let all = std::rc::Rc::new(counts.local().len());
    let the = counts.get(&"the".to_string()).await?;
    Ok(format!("{all} {the:?}"))
}

fn main() {}
