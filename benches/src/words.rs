//! The words of the measurements: the same in every run.

use std::collections::BTreeSet;

/// A generator of numbers (xorshift*), always from the same seed.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32
    }
}

/// So many different words, and an endless draw from them.
pub struct Words {
    all: Vec<String>,
    numbers: Numbers,
    /// How much more often the first words are drawn than the last.
    skew: f64,
}

impl Words {
    /// Of seven letters each.
    pub fn new(count: usize) -> Self {
        let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
        let (mut known, mut all) = (BTreeSet::new(), Vec::with_capacity(count));
        while all.len() < count {
            let letter = |_| char::from(b'a' + (numbers.next() % 26) as u8);
            let word: String = (0..7).map(letter).collect();
            if known.insert(word.clone()) {
                all.push(word);
            }
        }
        Self { all, numbers, skew: 1.0 }
    }

    /// Draws the word at `count * r^skew`, where `r` is even between 0 and 1: at 1 all as often, at 4 half of the draws
    /// are of the first sixteenth.
    pub fn skewed(self, skew: f64) -> Self {
        Self { skew, ..self }
    }

    /// All of them.
    pub fn all(&self) -> &[String] {
        &self.all
    }

    /// The next draw.
    pub fn draw(&mut self) -> &str {
        let number = self.numbers.next();
        let at = if self.skew == 1.0 {
            number as usize % self.all.len().max(1)
        } else {
            let even = number as f64 / 2f64.powi(32);
            (even.powf(self.skew) * self.all.len() as f64) as usize
        };
        self.all.get(at).map(String::as_str).unwrap_or_default()
    }
}

/// The value of an input record: `{"word":"abcdefg"}`.
pub fn json(word: &str, out: &mut String) {
    out.clear();
    out.push_str("{\"word\":\"");
    out.push_str(word);
    out.push_str("\"}");
}
