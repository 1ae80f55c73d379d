"""Networks written in fewer bits than they were trained in, held against float32."""
