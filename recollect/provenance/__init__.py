"""Where a number comes from: code fingerprint, versions, commit, device."""
