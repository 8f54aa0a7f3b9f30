"""make lab: both twins live, side by side, to be broken by hand while everything is counted."""
