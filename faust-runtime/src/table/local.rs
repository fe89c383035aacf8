//! The store of a table without a changelog: what the disk has is what there is.

use super::changelog::Recovered;
use super::store::{Mark, StoreError, Stores};

/// Opens it. Where it is not this table's, is damaged, or (`foreign`) somebody else has had the partition meanwhile, it is
/// set aside, and the table begins empty.
pub(crate) fn open_local(
    stores: &dyn Stores,
    owner: &str,
    table: &str,
    partition: u32,
    foreign: bool,
) -> Result<Recovered, StoreError> {
    let opened = stores.open(table, partition).and_then(|store| Ok((store.mark()?, store)));
    let why = match opened {
        Ok((None, store)) => return Ok(recovered(store, owner)),
        Ok((Some(mark), _)) if mark.owner != owner => format!("it belongs to {}", mark.owner),
        Ok((Some(_), _)) if foreign => "another worker has had this partition meanwhile".into(),
        Ok((Some(mark), store)) => return Ok(Recovered { store, mark, replayed: 0 }),
        Err(StoreError::Damaged { cause, .. }) => cause,
        Err(error) => return Err(error),
    };
    tracing::warn!(
        table,
        partition,
        why,
        "the store is set aside; the table has no changelog, so it begins empty"
    );
    stores.set_aside(table, partition)?;
    Ok(recovered(stores.open(table, partition)?, owner))
}

fn recovered(store: std::sync::Arc<dyn super::store::Store>, owner: &str) -> Recovered {
    let mark = Mark { owner: owner.into(), ..Mark::default() };
    Recovered { store, mark, replayed: 0 }
}
