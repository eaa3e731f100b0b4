from bench.report import Section
def run(postgres, pgbench, plan, progress):
    return Section("profile","Profile","", {})
