#![allow(unused)]
use faust::prelude::*;

#[app("a", parts(B))] //~
struct A;

#[app("b", parts(A))]
struct B;

fn main() {}
