//! A snapshot as Prometheus reads it.

use super::{Status, TaskState};
use std::fmt::{self, Display, Write};

impl Status {
    /// The text of `/metrics`.
    pub(crate) fn prometheus(&self) -> String {
        let mut page = Page(String::new());
        // Writing to a string does not fail.
        let _: fmt::Result = self.write(&mut page);
        page.0
    }

    fn write(&self, page: &mut Page) -> fmt::Result {
        page.family("faust_up_seconds", "gauge", "Time since the worker started")?;
        page.sample("faust_up_seconds", &[], self.uptime_seconds)?;
        page.family("faust_ready", "gauge", "1 when every assigned task runs")?;
        page.sample("faust_ready", &[], u8::from(self.ready))?;
        page.family("faust_broker_up", "gauge", "1 while Kafka answers")?;
        page.sample("faust_broker_up", &[], u8::from(self.broker_silent_since.is_none()))?;
        page.family("faust_rebalances_total", "counter", "Changes of the group's assignment")?;
        page.sample("faust_rebalances_total", &[], self.rebalances)?;
        self.write_agents(page)?;
        self.write_tables(page)?;
        self.write_partitions(page)?;
        self.write_cuts(page)
    }

    fn write_agents(&self, page: &mut Page) -> fmt::Result {
        type Of = fn(&super::status::AgentStatus) -> u64;
        let families: [(&str, &str, Of); 5] = [
            ("faust_agent_events_total", "Events that are done", |a| a.events),
            ("faust_agent_failures_total", "Calls that failed or panicked", |a| a.failed),
            ("faust_agent_retries_total", "Failed events that were tried again", |a| a.retried),
            ("faust_agent_dead_letters_total", "Records sent to the dead-letter topic", |a| {
                a.dead_letters
            }),
            ("faust_agent_undecodable_total", "Records that could not be decoded", |a| {
                a.undecodable
            }),
        ];
        for (name, help, of) in families {
            page.family(name, "counter", help)?;
            for agent in &self.agents {
                page.sample(name, &[("agent", &agent.name), ("topic", &agent.topic)], of(agent))?;
            }
        }
        Ok(())
    }

    fn write_tables(&self, page: &mut Page) -> fmt::Result {
        type Of = fn(&super::status::TableStatus) -> u64;
        let families: [(&str, &str, &str, Of); 5] = [
            ("faust_table_rows", "gauge", "Rows of the partitions that are here", |t| t.rows),
            ("faust_table_cache_hits_total", "counter", "Rows found in the cache", |t| t.hits),
            ("faust_table_cache_misses_total", "counter", "Rows looked up in the store", |t| {
                t.misses
            }),
            ("faust_table_cache_evicted_total", "counter", "Rows that left the cache", |t| {
                t.evicted
            }),
            ("faust_table_late_total", "counter", "Writes into expired windows, dropped", |t| {
                t.late
            }),
        ];
        for (name, kind, help, of) in families {
            page.family(name, kind, help)?;
            for table in &self.tables {
                page.sample(name, &[("table", &table.name)], of(table))?;
            }
        }
        Ok(())
    }

    fn write_partitions(&self, page: &mut Page) -> fmt::Result {
        page.family("faust_tasks", "gauge", "Partition tasks by state")?;
        for (name, state) in [
            ("recovering", TaskState::Recovering),
            ("running", TaskState::Running),
            ("stopping", TaskState::Stopping),
        ] {
            let n = self.tasks.iter().filter(|task| task.state == state).count();
            page.sample("faust_tasks", &[("state", &name)], n)?;
        }
        type Of = fn(&super::status::SourceStatus) -> i64;
        let families: [(&str, &str, Of); 4] = [
            ("faust_partition_position", "Offset of the next record to be processed", |p| {
                p.position
            }),
            ("faust_partition_committed", "Committed offset", |p| p.committed),
            ("faust_partition_end", "Offset behind the last record", |p| p.end),
            ("faust_partition_lag", "Records still to be processed", |p| p.lag as i64),
        ];
        for (name, help, of) in families {
            page.family(name, "gauge", help)?;
            for at in &self.partitions {
                page.sample(name, &[("topic", &at.topic), ("partition", &at.partition)], of(at))?;
            }
        }
        page.family("faust_recovery_records_left", "gauge", "Changelog offsets still to be read")?;
        for it in &self.recovery {
            let labels: [(&str, &dyn Display); 2] =
                [("table", &it.table), ("partition", &it.partition)];
            page.sample("faust_recovery_records_left", &labels, it.to - it.at)?;
        }
        page.family("faust_recovery_done", "gauge", "How much of a recovery is done, 0 to 1")?;
        for it in &self.recovery {
            let labels: [(&str, &dyn Display); 2] =
                [("table", &it.table), ("partition", &it.partition)];
            page.sample("faust_recovery_done", &labels, it.done)?;
        }
        page.family(
            "faust_standby_lag",
            "gauge",
            "Records that a copy of a table's partition lacks",
        )?;
        for it in &self.standbys {
            let labels: [(&str, &dyn Display); 2] =
                [("table", &it.table), ("partition", &it.partition)];
            page.sample("faust_standby_lag", &labels, it.lag)?;
        }
        Ok(())
    }

    fn write_cuts(&self, page: &mut Page) -> fmt::Result {
        let cuts = &self.cuts;
        page.family("faust_cut_seconds", "histogram", "How long cuts took to commit")?;
        for (bound, n) in &cuts.took_at_most_ms {
            let bound = *bound as f64 / 1000.0;
            page.sample("faust_cut_seconds_bucket", &[("le", &bound)], n)?;
        }
        page.sample("faust_cut_seconds_bucket", &[("le", &"+Inf")], cuts.committed)?;
        page.sample("faust_cut_seconds_sum", &[], cuts.seconds)?;
        page.sample("faust_cut_seconds_count", &[], cuts.committed)?;
        for (name, help, n) in [
            ("faust_cuts_aborted_total", "Cuts that were aborted and sent again", cuts.aborted),
            ("faust_cut_rows_total", "Rows that cuts wrote", cuts.rows),
            ("faust_cut_outputs_total", "Records that cuts sent", cuts.outputs),
        ] {
            page.family(name, "counter", help)?;
            page.sample(name, &[], n)?;
        }
        Ok(())
    }
}

/// The text format, line by line.
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) -> fmt::Result {
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}")
    }

    fn sample(
        &mut self,
        name: &str,
        labels: &[(&str, &dyn Display)],
        value: impl Display,
    ) -> fmt::Result {
        self.0.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let open = if index == 0 { '{' } else { ',' };
            let text =
                text.to_string().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            write!(self.0, "{open}{label}=\"{text}\"")?;
        }
        let close = if labels.is_empty() { "" } else { "}" };
        writeln!(self.0, "{close} {value}")
    }
}
