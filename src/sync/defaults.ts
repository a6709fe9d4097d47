// What never goes to a machine unless an include pattern says so, whether git ignores it or not. As in .gitignore.

/** Keys, passwords and tokens, by the names under which tools keep them. Our own settings too: train.env may hold some. */
export const SECRETS = [
  '.runctl.toml', '.env*', '!.env.example', '!.env.sample', '!.env.template', '.netrc', '_netrc', '.git-credentials', '.pypirc', '.npmrc', '.pgpass', '.htpasswd', '.boto', '.s3cfg',
  '.aws/', '.ssh/', '.gnupg/', '.kube/', '.azure/', '.docker/config.json', '.config/gcloud/', 'kaggle.json', '.huggingface/', '.streamlit/secrets.toml',
  '*.pem', '*.key', '*.p12', '*.pfx', '*.ppk', '*.jks', '*.keystore', '*.kdbx', 'id_rsa', 'id_dsa', 'id_ecdsa', 'id_ed25519', 'id_*_sk',
  // The file of that name; a package called so is code.
  'credentials', '!credentials/', 'credentials.json', 'credentials.csv', '*_accessKeys.csv', 'rootkey.csv', 'client_secret*.json', 'service-account*.json', 'service_account*.json',
  'application_default_credentials.json', 'secrets.json', 'secrets.toml', 'secrets.yaml', 'secrets.yml',
];

/** Environments, caches and settings of this computer; each tool makes its own where it runs. */
export const CACHES = [
  '__pycache__/', '*.pyc', '*.pyo', '.venv', 'venv', '.conda/', '.pixi/', '.direnv/', 'node_modules', '.cache/', '.uv-cache/', '.mypy_cache/', '.pytest_cache/', '.ruff_cache/', '.hypothesis/',
  '.ipynb_checkpoints/', '.tox/', '.nox/', '.eggs/', '.hg/', '.svn/', '.jj/', '.idea/', '.vscode/', '.terraform/', '.DS_Store', '.coverage',
];
