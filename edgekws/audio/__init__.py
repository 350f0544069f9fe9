"""Where audio comes from: files, stdin and microphones, all as Blocks of int16 mono."""
