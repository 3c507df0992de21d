"""The forms that recordings have on disk, one module a form: `.npz`, `.csv`, `.parquet`, and folders of `.npy`."""
