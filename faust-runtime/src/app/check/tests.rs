//! The same checks at run time, where a test can read their messages.

use super::{Index, require_app, require_copartitioned, require_entry, require_part};
use crate::agent::AgentName;
use crate::app::{App, AppDef};
use crate::define::Place;
use crate::prelude::*;
use crate::schedule::Timer;
use crate::web::Page;
use crate::{Agent, Record, Row};

#[topic("words", key = word, partitions = 8)]
struct Word {
    word: String,
}

#[topic("words", key = term, partitions = 4)]
struct Term {
    term: String,
}

/// Says the same as [`Word`].
#[topic("words", key = name, partitions = 8)]
struct Name {
    name: String,
}

#[topic("tags", key = tag, partitions = 4)]
struct Tag {
    tag: String,
}

#[table("totals", partitions = 4)]
struct Total {
    key: String,
    value: u64,
}

#[table("totals")]
struct Sum {
    key: String,
    value: u64,
}

#[agent]
async fn count(_word: Event<Word>, _sums: Table<Sum>) -> Result<u64> {
    Ok(1)
}

#[agent]
async fn tag(_tag: Event<Tag>, _sums: Table<Sum>) -> Result<()> {
    Ok(())
}

#[agent]
async fn term(_term: Event<Term>) -> Result<()> {
    Ok(())
}

#[agent]
async fn name(_name: Event<Name>) -> Result<()> {
    Ok(())
}

#[agent(name = "count")]
async fn recount(_tag: Event<Tag>) -> Result<()> {
    Ok(())
}

#[timer(every = 1s)]
async fn relay(_count: Ask<count>) -> Result<()> {
    Ok(())
}

#[timer(every = 1s)]
async fn watch(_totals: View<Total>, _sums: View<Sum>) -> Result<()> {
    Ok(())
}

#[page("/count")]
async fn get_count() -> Result<()> {
    Ok(())
}

#[page("/count")]
async fn get_tally() -> Result<()> {
    Ok(())
}

#[app("listed", agents(count))]
struct Listed;

const SHOP: AppDef = AppDef::new("shop", Place { file: "shop.rs", line: 1 });

/// The message of a check, or nothing.
fn message(check: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let caught = std::panic::catch_unwind(check);
    caught.map_or_else(|fault| *fault.downcast::<String>().unwrap(), |()| String::new())
}

fn check(app: AppDef, expected: &str) {
    let message = message(move || require_app(&app));
    let place = |place: Place| place.to_string();
    let expected = expected
        .replace("WORD", &place(Word::TOPIC.place))
        .replace("TERM", &place(Term::TOPIC.place))
        .replace("TOTAL", &place(Total::TABLE.place))
        .replace("SUM", &place(Sum::TABLE.place))
        .replace("FIRST", &place(count::OPTIONS.place))
        .replace("SECOND", &place(recount::OPTIONS.place))
        .replace("ONE", &place(get_count::OPTIONS.place))
        .replace("OTHER", &place(get_tally::OPTIONS.place));
    assert_eq!(message, expected);
}

#[test]
fn admits_what_fits() {
    check(SHOP, "");
    check(AppDef { agents: &[count::AGENT, name::AGENT], timers: &[relay::TIMER], ..SHOP }, "");
    check(AppDef { timers: &[relay::TIMER], parts: &[Listed::APP], ..SHOP }, "");
}

#[test]
fn refuses_what_is_listed_twice() {
    let twice = AppDef { agents: &[count::AGENT, count::AGENT], ..SHOP };
    check(twice, "agent `count` is listed twice");
    let two = AppDef { agents: &[count::AGENT, recount::AGENT], ..SHOP };
    check(two, "two agents are named `count`: FIRST and SECOND");
    let timers = &[relay::TIMER, relay::TIMER];
    let twice = AppDef { agents: &[count::AGENT], timers, ..SHOP };
    check(twice, "timer `relay` is listed twice");
    let pages = AppDef { pages: &[get_count::PAGE, get_tally::PAGE], ..SHOP };
    check(pages, "two pages answer `GET /count`: ONE and OTHER");
}

#[test]
fn refuses_two_declarations() {
    let topics = AppDef { agents: &[count::AGENT, term::AGENT], ..SHOP };
    check(topics, "topic `words` is declared twice, and differently: WORD and TERM");
    let tables = AppDef { timers: &[watch::TIMER], ..SHOP };
    check(tables, "table `totals` is declared twice: TOTAL and SUM");
}

#[test]
fn refuses_a_table_of_two_counts() {
    check(
        AppDef { agents: &[count::AGENT, tag::AGENT], ..SHOP },
        "agents `count` and `tag` own table `totals`, but topic `words` has 8 partitions and topic `tags` has 4: give \
         both the same count",
    );
}

/// Says nothing of its partitions.
#[topic("names", key = name)]
struct Silent {
    name: String,
}

#[table("lengths")]
struct Length {
    key: String,
    value: u64,
}

#[agent]
async fn bridge(_: Event<Silent>, _: Table<Sum>, _: Table<Length>) -> Result<()> {
    Ok(())
}

#[agent]
async fn measure(_: Event<Tag>, _: Table<Length>) -> Result<()> {
    Ok(())
}

#[test]
fn refuses_counts_that_differ_in_a_group() {
    const ALL: AppDef =
        AppDef { agents: &[count::AGENT, measure::AGENT, bridge::AGENT, tag::AGENT], ..SHOP };
    check(
        AppDef { agents: &[count::AGENT, measure::AGENT, bridge::AGENT], ..SHOP },
        "agents `count` and `measure` belong together through tables of other agents, but topic `words` has 8 partitions \
         and topic `tags` has 4: give both the same count",
    );
    check(AppDef { agents: &[count::AGENT, measure::AGENT], ..SHOP }, "");
    // The other count is said once.
    assert_eq!(message(|| require_entry(&Index::of(&ALL), 3)), "");
}

#[test]
fn knows_agents_that_run_elsewhere() {
    const COUNT: AgentName = AgentName::of::<count>();
    check(AppDef { timers: &[relay::TIMER], external: &[COUNT], ..SHOP }, "");
    check(
        AppDef { agents: &[count::AGENT], external: &[COUNT], ..SHOP },
        "agent `count` is external, but app `shop` runs it: take one of them out",
    );
    check(AppDef { external: &[COUNT, COUNT], ..SHOP }, "agent `count` is listed twice");
}

#[test]
fn compares_parts_with_the_app_and_with_each_other() {
    const TERM: AppDef = AppDef { agents: &[term::AGENT], ..SHOP };
    let part = |app: AppDef, number| message(move || require_part(&Index::of(&app), number));
    let twice = AppDef { agents: &[count::AGENT], parts: &[Listed::APP], ..SHOP };
    assert_eq!(part(twice, 0), "agent `count` is listed twice");
    let apart = AppDef { parts: &[Listed::APP, TERM], ..SHOP };
    assert_eq!(part(apart, 0), "");
    assert!(part(apart, 1).starts_with("topic `words` is declared twice, and differently"));
    const TIMERS: AppDef = AppDef { timers: &[watch::TIMER], ..SHOP };
    assert_eq!(part(AppDef { parts: &[TIMERS], ..SHOP }, 0), "", "its own faults are its own");
}

#[test]
fn refuses_who_asks_the_unlisted() {
    check(
        AppDef { timers: &[relay::TIMER], ..SHOP },
        "timer `relay` asks agent `count`, which app `shop` does not list: add it to `agents(..)`, or to \
         `external(..)` if another app runs it",
    );
}

/// An agent that macros would refuse.
struct Owner;

impl crate::agent::AgentParamOf<0> for Owner {
    type Handle = Table<Total>;
}

impl Agent for Owner {
    type Input = Event<Word>;
    type Given<'m> = Event<Word>;
    type Params = (crate::agent::AgentSlot<Self, 0>,);
    type Output = Result<()>;
    const OPTIONS: crate::agent::AgentOptions =
        crate::agent::AgentOptions::new("owner", Place { file: "owner.rs", line: 1 });

    fn call<'m>(
        _: Event<Word>,
        _: &mut Self::Params,
    ) -> impl Future<Output = Result<()>> + use<'m> {
        std::future::ready(Ok(()))
    }
}

#[test]
fn refuses_counts_that_differ() {
    assert_eq!(
        message(require_copartitioned::<Owner, 0>),
        "agent `owner` reads topic `words` in 8 partitions but owns table `totals` in 4: give both the same count"
    );
}

/// What is longer than the buffer is left out, a piece at a time.
#[test]
fn keeps_within_its_buffer() {
    let long = "x".repeat(2_000);
    let text = message(move || {
        super::message::Message::new().text("a").text(&long).number(1_234_567).fail()
    });
    assert_eq!(text, "a1234567");
}
