//! The flags of `tidings trust`.

use clap::Args;

use crate::certificates::trust::Store;

#[derive(Args, Clone, Debug)]
pub(crate) struct TrustArgs {
    /// Take it back: remove the authority wherever it was added
    #[arg(long)]
    pub(crate) remove: bool,

    /// Only this store; may be repeated
    #[arg(long, value_enum)]
    store: Vec<Store>,
}

impl TrustArgs {
    pub(crate) fn stores(&self) -> Vec<Store> {
        match self.store.is_empty() {
            true => vec![Store::System, Store::Nss],
            false => self.store.clone(),
        }
    }
}
