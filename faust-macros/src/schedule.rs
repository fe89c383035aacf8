//! Cron expressions: `minute hour day month weekday`, each `*`, a number, a range `1-5`, a step `*/15`, or a list of
//! these.

/// A field: its name, the numbers that it has, and the names of the first ones.
struct Field {
    name: &'static str,
    low: u32,
    high: u32,
    names: &'static [&'static str],
}

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const FIELDS: [Field; 5] = [
    Field { name: "minute", low: 0, high: 59, names: &[] },
    Field { name: "hour", low: 0, high: 23, names: &[] },
    Field { name: "day", low: 1, high: 31, names: &[] },
    Field { name: "month", low: 1, high: 12, names: &MONTHS },
    // 0 and 7 are Sunday.
    Field { name: "weekday", low: 0, high: 7, names: &WEEKDAYS },
];

/// The longest that each month can be.
const DAYS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// What is wrong with a cron expression.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let given: Vec<_> = text.split_whitespace().collect();
    let [_, _, days, months, weekdays] = given.as_slice() else {
        return Err(format!(
            "expected five fields, minute, hour, day, month and weekday, such as `0 9 * * *`; here are {}",
            given.len()
        ));
    };
    for (given, field) in given.iter().zip(&FIELDS) {
        for item in given.split(',') {
            field.check(item)?;
        }
    }
    let [.., day, month, _] = &FIELDS;
    let exists = |month_number: u32| {
        let longest = DAYS.get(month_number as usize - 1).copied().unwrap_or(31);
        month.has(months, month_number) && (1..=longest).any(|number| day.has(days, number))
    };
    if weekdays.starts_with('*') && !(1..=12).any(exists) {
        return Err(format!("this never comes: day `{days}` of month `{months}`"));
    }
    Ok(())
}

impl Field {
    fn check(&self, item: &str) -> Result<(), String> {
        let Self { name, low, high, .. } = self;
        let (range, step) = item.split_once('/').map_or((item, None), |(a, b)| (a, Some(b)));
        if step.is_some_and(|step| !step.parse().is_ok_and(|step: u32| (1..=*high).contains(&step)))
        {
            return Err(format!("`{item}`: a step of {name}s is a number from 1 to {high}"));
        }
        if range == "*" {
            return Ok(());
        }
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        match (self.number(first), self.number(last)) {
            (Some(first), Some(last)) if first <= last => Ok(()),
            (Some(_), Some(_)) => Err(format!("`{range}` ends before it begins")),
            (None, _) => Err(format!("`{first}` is no {name}: {name}s are {low} to {high}")),
            (_, None) => Err(format!("`{last}` is no {name}: {name}s are {low} to {high}")),
        }
    }

    /// The number of what is written as a number or as a name.
    fn number(&self, text: &str) -> Option<u32> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        match named {
            Some(position) => Some(position as u32 + self.low),
            None => text.parse().ok().filter(|number| (self.low..=self.high).contains(number)),
        }
    }

    /// Whether a field that is right has a number in it.
    fn has(&self, given: &str, number: u32) -> bool {
        given.split(',').any(|item| {
            let (range, step) = item.split_once('/').unwrap_or((item, "1"));
            let (first, last) = match range {
                "*" => (self.low, self.high),
                range => {
                    let (first, last) = range.split_once('-').unwrap_or((range, range));
                    let first = self.number(first).unwrap_or(self.low);
                    (first, self.number(last).unwrap_or(self.high))
                }
            };
            // `5/10` goes on from 5.
            let last = if item.contains('/') && !range.contains('-') { self.high } else { last };
            let step = step.parse().unwrap_or(1);
            (first..=last).step_by(step).any(|has| has == number)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn admits_what_cron_admits() {
        for right in [
            "0 9 * * *",
            "*/15 0-6,22 1,15 JAN-mar MON-FRI",
            "5/10 * * * 7",
            "0 0 29 2 *",
            "0 0 31 */2 *",
            "0 0 31 2 MON",
        ] {
            assert_eq!(check(right), Ok(()), "{right}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let wrong = |text: &str, expected: &str| assert_eq!(check(text), Err(expected.into()));
        wrong(
            "0 9 * *",
            "expected five fields, minute, hour, day, month and weekday, such as `0 9 * * *`; here are 4",
        );
        wrong("60 9 * * *", "`60` is no minute: minutes are 0 to 59");
        wrong("0 9 0 * *", "`0` is no day: days are 1 to 31");
        wrong("0 9 * FOO *", "`FOO` is no month: months are 1 to 12");
        wrong("0 9 * * MON-8", "`8` is no weekday: weekdays are 0 to 7");
        wrong("0 17-9 * * *", "`17-9` ends before it begins");
        wrong("*/0 9 * * *", "`*/0`: a step of minutes is a number from 1 to 59");
        wrong("0 0 30 FEB *", "this never comes: day `30` of month `FEB`");
        wrong("0 0 31 4,6,9,11 *", "this never comes: day `31` of month `4,6,9,11`");
    }
}
