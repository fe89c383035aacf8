#![allow(unused)]
use faust::prelude::*;

#[timer(every = 10s)]
async fn tick() -> Result<()> { //~
    let count = std::rc::Rc::new(1);
    std::future::ready(()).await;
    assert_eq!(*count, 1);
    Ok(())
}

#[app("clock", timers(tick))]
struct Clock;

fn main() {}
