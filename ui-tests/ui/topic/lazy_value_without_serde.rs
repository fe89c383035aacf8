#![allow(unused)]
use faust::prelude::*;

struct Money(u64);

#[topic("payments")]
struct Payment<'a> {
    key: &'a str,
    value: Lazy<'a, Money>,
}

#[agent]
async fn book(payment: Event<Payment<'_>>) -> Result<()> {
    let Money(amount) = payment.value.get()?; //~
    Ok(())
}

#[app("bank", agents(book))]
struct Bank;

fn main() {}
