#![allow(unused)]
use faust::prelude::*;

struct User;

#[page("/user")]
async fn user() -> Result<User> { //~
    Ok(User)
}

#[app("users", pages(user))]
struct Users;

fn main() {}
