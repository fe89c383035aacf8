#![allow(unused)]
use faust::prelude::*;

struct Money(u64);

#[topic("payments", key = id)]
struct Payment {
    id: String,
    amount: Money, //~
    note: Option<String>,
}

#[agent]
async fn book(payment: Event<Payment>, booked: Sink<Payment>) -> Result<()> {
    booked.send(payment.into_inner()).await
}

#[app("bank", agents(book))]
struct Bank;

fn main() {}
