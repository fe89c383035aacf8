#![allow(unused)]
use faust::prelude::*;

#[topic("lines")]
struct Line<'a> {
    text: &'a str,
}

#[derive(Records)]
enum Input<'a> { //~
    Line(Line<'a>),
}

fn main() {}
