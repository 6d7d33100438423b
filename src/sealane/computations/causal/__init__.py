"""Effects of treatments from what was observed: rows weighted until the arms are alike in what is known of them."""
