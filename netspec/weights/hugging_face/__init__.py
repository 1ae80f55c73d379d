"""A network as a folder that ``transformers`` loads: settings, weights under Hugging Face's keys, and a comparison."""
