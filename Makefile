render:
	rm -rf build && /opt/lab/bin/cookiecutter . --no-input -o build --default-config
