def benchmark_page(r): return ""
def benchmark_plots(r): return {}
