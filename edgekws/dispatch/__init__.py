"""From a detection to something done: sinks, the table of commands, and the dispatcher."""
