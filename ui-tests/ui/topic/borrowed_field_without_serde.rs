#![allow(unused)]
use faust::prelude::*;

struct Money<'a>(&'a str);

#[topic("payments", key = id)]
struct Payment<'a> {
    id: &'a str,
    amount: Money<'a>, //~
    note: Option<&'a str>,
}

#[agent]
async fn book(payment: Event<Payment<'_>>, booked: Sink<Payment<'_>>) -> Result<()> {
    booked.send(payment.into_inner()).await
}

#[app("bank", agents(book))]
struct Bank;

fn main() {}
