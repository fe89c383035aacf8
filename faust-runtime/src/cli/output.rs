//! Rows for people or for programs.

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::Value;

/// How rows are shown.
#[derive(clap::ValueEnum, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Format {
    /// Aligned columns
    #[default]
    Table,
    /// A JSON object a line
    Json,
}

/// Rows with names for their columns. In JSON a column that is empty is left out.
pub(super) struct Output {
    columns: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

impl Output {
    pub(super) fn new(columns: &'static [&'static str]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    pub(super) fn row(&mut self, row: impl IntoIterator<Item = String>) {
        self.rows.push(row.into_iter().collect());
    }

    pub(super) fn print(&self, format: Format) {
        match format {
            Format::Table => {
                let mut table = Table::new();
                table.load_style(NOTHING);
                table.set_header(self.columns.iter().map(|column| column.to_uppercase()));
                table.add_rows(&self.rows);
                println!("{}", table.trim_fmt());
            }
            Format::Json => {
                for row in &self.rows {
                    let cells = self.columns.iter().zip(row).filter(|(_, cell)| !cell.is_empty());
                    let cells = cells.map(|(column, cell)| {
                        let column = column.replace(' ', "_");
                        format!("{}: {}", Value::from(column), Value::from(cell.as_str()))
                    });
                    println!("{{{}}}", cells.collect::<Vec<_>>().join(", "));
                }
            }
        }
    }
}
