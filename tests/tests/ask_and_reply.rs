//! A page asks an agent, wherever the key's owner is.

use faust_tests::App;

#[test]
fn a_vote_is_answered_with_the_new_count_by_any_worker() {
    let app = App::new(env!("CARGO_BIN_EXE_count"), &["words"]);
    let workers = [app.start(0), app.start(1)];
    for worker in &workers {
        worker.wait_until_ready();
    }
    let words = ["earth", "fire", "water", "air", "light", "void", "day", "night"];
    for n in 1..=3 {
        for (index, word) in words.iter().enumerate() {
            // Each word is voted for by both, in turns.
            let worker = &workers[(index + n) % 2];
            assert_eq!(worker.post(&format!("/vote/{word}")), (200, n.to_string()), "{word}");
        }
    }
    for worker in &workers {
        assert!(!worker.own_rows("counts").is_empty(), "both own some of the words");
        let all = words.map(|word| (word.to_string(), 3));
        assert_eq!(worker.all_rows("counts"), Some(all.into()));
    }
}
