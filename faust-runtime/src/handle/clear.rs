//! Removing all rows of a partition.

use super::table::{Spot, Table};
use crate::define::{Plain, Row, Unwindowed};
use crate::error::HandleError;
use std::cmp::Ordering;

/// What removing a row takes while its event runs, about.
const REMOVAL: usize = 256;

impl<T: Row<Window = Unwindowed<L>>, L> Table<T>
where
    Unwindowed<L>: Plain,
{
    /// Removes all rows of this partition, as one effect of the event; how many there were.
    ///
    /// It is bounded as everything is that an event does: what is removed is staged, and goes into one transaction with
    /// the rest. Of more rows than fit the setting `stage_bytes`, at 256 bytes each (65,536 by default), nothing is
    /// removed and the error says so; they go in parts, by [`range`](Table::range) or [`prefix`](Table::prefix), over
    /// several events.
    ///
    /// ```
    /// use faust::prelude::*;
    ///
    /// #[topic("seasons", key = league)]
    /// struct Season { league: String }
    ///
    /// #[table("points", key = (league, team), partition_by = league)]
    /// struct Points { league: String, team: String, points: u32 }
    ///
    /// /// All leagues of this partition begin anew.
    /// #[agent]
    /// async fn begin(_season: Event<Season>, points: Table<Points>) -> Result<u64> {
    ///     points.clear().await
    /// }
    /// ```
    pub async fn clear(&self) -> crate::Result<u64> {
        let spot = Spot::of(self);
        let most = spot.stage_bytes::<T>()? / REMOVAL;
        let rows = spot.scan::<T>(Vec::new(), &[], most.saturating_add(1), &|_| Ordering::Equal)?;
        if rows.len() > most {
            return Err(HandleError::ClearFull { table: T::TABLE.name, most }.into());
        }
        for (key, _) in &rows {
            self.remove(key).await?;
        }
        Ok(rows.len() as u64)
    }
}
